# docker build -t tp-tools . && docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/traces" tp-tools fix rank0.json.gz
FROM python:3.13-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY tp_tools tp_tools/
COPY sql sql/
RUN pip install --no-cache-dir '.[report]'
WORKDIR /traces
ENTRYPOINT ["tp-tools"]
