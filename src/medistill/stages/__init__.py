"""The only wiring: recipe in, run folder out; one module a stage."""
