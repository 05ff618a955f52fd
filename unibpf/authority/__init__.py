"""Who said it, when, and may they: roles of identities, and signatures over messages."""
