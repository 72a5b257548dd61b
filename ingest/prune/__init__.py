"""Deletes what retention keeps no longer, in short steps, beside hubs that go on.

    rules ▶ dues: series, from, to ▶ slices ▶ proof: are they in their rollups? ▶ horizon ▶ sweep

The horizon of a series moves first, while no batch is under way. From then on every writer refuses
what lies before it as `too_old`: nothing is stored or folded there any more, and what is there can
be deleted in as many steps as it takes, with any pause between them, by anybody, after any crash.
Knows nothing of connections and frames; the time now is given.
"""
