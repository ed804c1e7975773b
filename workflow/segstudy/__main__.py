"""`python -m segstudy` is the command `segstudy`, where that is not on the path."""

from segstudy.cli.app import main

if __name__ == "__main__":
    main()
