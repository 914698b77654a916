"""What flows through the pipeline and what it stores; imports nothing of ours."""
