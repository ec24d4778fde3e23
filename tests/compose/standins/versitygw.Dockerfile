# For hosts that reach no container registry: a server that speaks S3, under the command of the real one.
FROM python:3.12-slim
RUN pip install --no-cache-dir "moto[server]"
RUN mkdir -p /app && printf '%s\n' '#!/usr/local/bin/python' \
    'import subprocess, time, urllib.request as r' \
    'server = subprocess.Popen(["moto_server", "-H", "0.0.0.0", "-p", "7070"])' \
    'for _ in range(100):' \
    '    try:' \
    '        r.urlopen(r.Request("http://localhost:7070/platform", method="PUT")); break' \
    '    except OSError: time.sleep(0.2)' \
    'server.wait()' > /app/versitygw && chmod +x /app/versitygw && \
    printf '%s\n' '#!/usr/local/bin/python' 'import urllib.request as r; r.urlopen("http://localhost:7070/moto-api/")' \
    > /usr/local/bin/wget && chmod +x /usr/local/bin/wget
