"""The stages of space-time points: filters in time, responses, maxima and descriptions."""
