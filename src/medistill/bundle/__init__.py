"""What is shipped: schema, hashes and calibration. Torch-free."""
