"""`python -m upreel`: the same as the `upreel` command."""

from upreel.cli import main

if __name__ == "__main__":
    main()
