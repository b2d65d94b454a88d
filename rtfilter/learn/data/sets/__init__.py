"""Public data sets of people who speak, with or without feeling, as they are downloaded: one file each."""
