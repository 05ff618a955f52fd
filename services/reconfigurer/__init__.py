"""The reconfigurer: takes signed releases to the running guests of a host."""
