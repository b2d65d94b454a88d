"""What lies over a face, and where the person ends: the parts of a picture that an edit leaves alone."""
