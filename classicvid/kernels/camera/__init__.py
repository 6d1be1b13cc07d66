"""Key points of two frames go in, pairs come out; a frame and a homography, the warped frame."""
