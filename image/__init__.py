"""What the image is made of: locked packages and the list of them. No part of the installed package."""
