"""What a team's servers need beside the containers: secrets, roles, the migration job, the locks of the images."""
