"""Maps of running guests: changed when somebody asks (map_changes.py), entries put back where desired (putting_back.py)."""
