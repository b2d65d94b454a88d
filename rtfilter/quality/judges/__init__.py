"""Networks of the user's that judge an edit: emotion, identity, lip sync, distance to a reference."""
