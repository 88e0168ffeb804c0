#!/bin/sh
# Install the system packages that models and tests need, if they are missing and this is a Debian-like system run as root.
# Otherwise say what is missing and go on: the tests that need it skip with a reason.
set -u

have_openmp() { ldconfig -p 2>/dev/null | grep -q 'libgomp\.so\.1'; }

have_openmp && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing libgomp1 (OpenMP runtime)"
    apt-get update -qq && apt-get install -qq -y --no-install-recommends libgomp1 >/dev/null && exit 0
fi
echo "the OpenMP runtime libgomp1 is missing; embedded models cannot run without it" >&2
exit 0
