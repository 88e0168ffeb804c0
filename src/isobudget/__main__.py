"""`python -m isobudget` is the same as `isobudget`."""

from isobudget.start import main

main()
