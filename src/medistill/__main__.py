"""``python -m medistill``."""

from medistill.cli import main

if __name__ == "__main__":
    main()
