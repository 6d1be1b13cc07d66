"""The stages of good features: response of an image, maxima of a response, selection of maxima."""
