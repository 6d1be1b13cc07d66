"""The stages of Lucas-Kanade: the window of a point, its match in the next frame, all points."""
