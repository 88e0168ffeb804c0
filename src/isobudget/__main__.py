"""`python -m isobudget` is the same as `isobudget`."""

from isobudget.cli import main

main()
