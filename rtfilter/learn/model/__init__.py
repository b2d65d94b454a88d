"""The built-in face model, made of scans and footage: `python -m rtfilter.learn.model.build_face_model`."""
