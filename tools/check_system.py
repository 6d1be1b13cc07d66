"""Imports OpenCV and, where a system library is missing, says the one line that installs it."""

import sys

HINT = (
    "opencv-python cannot load a system library ({error}).\n"
    "Debian or Ubuntu:  sudo apt-get install -y libgl1 libglib2.0-0 libxcb1 libsm6 libxext6\n"
    "Fedora:            sudo dnf install -y mesa-libGL glib2 libxcb libSM libXext\n"
    "Without rights to install: {python} -m pip install --force-reinstall opencv-python-headless"
)


def main() -> int:
    """Return 0 where OpenCV loads, 1 after printing how to mend it."""
    try:
        import cv2  # noqa: F401, PLC0415
    except ImportError as error:
        print(HINT.format(error=error, python=sys.executable), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
