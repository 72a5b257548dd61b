"""The faults, a module each: `faults` says what such a module has."""
