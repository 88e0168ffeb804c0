# isobudget on Linux. Untried: no container engine was at hand.
#
#   docker build -t isobudget .
#   docker run --rm isobudget paper --table budget
#   docker run --rm -v "$PWD:/work" isobudget report example
#
# The judge confines programs by namespaces, which a container's default profile forbids. Give it its own container
# and nothing else, and let it make them:
#
#   docker run --rm --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN \
#       -v "$PWD:/work" isobudget doctor
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN python -m pip install --no-cache-dir '/src[local,report,pytest,humaneval,openai]'
WORKDIR /work
ENTRYPOINT ["isobudget"]
CMD ["--help"]
