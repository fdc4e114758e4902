"""Looking at videos, inside the child: opening, finding a frame, pictures, confinement."""
