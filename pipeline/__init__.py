"""The wiring: which stage follows which, where articles come from and where tables go."""
