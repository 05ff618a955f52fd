"""What a process finds on its host: settings, identities, folders, logs."""
