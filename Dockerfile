# The command line and the server, without a GPU and as a user without rights; see docs/docker.md.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY rtfilter rtfilter
COPY kernels kernels
COPY engines engines
COPY bench bench
RUN python -m venv /opt/rtfilter
RUN /opt/rtfilter/bin/pip install --no-cache-dir --disable-pip-version-check ".[serve]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/rtfilter /opt/rtfilter
ENV PATH=/opt/rtfilter/bin:$PATH HOME=/var/lib/rtfilter PYTHONUNBUFFERED=1
RUN useradd --uid 1000 --create-home --home-dir /var/lib/rtfilter rtfilter
USER rtfilter
# The networks now, so that no container needs a network for them. Open to all, for `docker run --user`.
RUN rtfilter engines prepare && chmod -R a+rwX /var/lib/rtfilter
WORKDIR /data
ENTRYPOINT ["rtfilter"]
CMD ["serve"]
