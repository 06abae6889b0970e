"""What both ends of a call need of WebRTC: libopus, and aiortc's tracks and candidates."""
