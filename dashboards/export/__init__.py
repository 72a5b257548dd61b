"""Any selection of readings as one stream, CSV or NDJSON, of which the receiver can tell the end.

    views ─▶ selection      whose readings, for this reader
          ─▶ stream         a thread and a connection of its own, one part asked for at a time
          ─▶ parts ─▶ chunks (the database)  and  formats (lines)

Nothing is kept: what a receiver has not taken has not been read.
"""
