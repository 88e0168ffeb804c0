#!/bin/sh
# Install the system packages that models and tests need, if they are missing and this is a Debian-like system run as root.
# Otherwise say what is missing and go on: the tests that need it skip with a reason. With the argument `browser` the
# browser that tests of pages need, else what models need.
set -u

have_openmp() { ldconfig -p 2>/dev/null | grep -q 'libgomp\.so\.1'; }
have_browser() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }

if [ "${1:-}" = browser ]; then
    have_browser && exit 0
    package=chromium missing="Chromium is missing; the tests of pages are skipped without it"
else
    have_openmp && exit 0
    package=libgomp1 missing="the OpenMP runtime libgomp1 is missing; embedded models cannot run without it"
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $package"
    apt-get update -qq && apt-get install -qq -y --no-install-recommends "$package" >/dev/null && exit 0
fi
echo "$missing" >&2
exit 0
