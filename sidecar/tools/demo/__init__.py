"""`pilotfish demo`: four digit models, drifting traffic, a live ranking. Needs the extra `demo`."""
