"""What emotions do to speaking faces, measured: footage to `rtfilter/face/assets/emotions.json`."""
