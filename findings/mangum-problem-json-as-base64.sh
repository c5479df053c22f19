#!/usr/bin/env bash
# Mangum takes an RFC 9457 problem document for binary.
#
# Guess:    A body of type application/problem+json is JSON, and so text, as application/json is.
# Seen:     2026-11-29, mangum 0.22.0 with starlette 1.10.0: application/json leaves as text, application/problem+json
#           and application/hal+json as base64 with isBase64Encoded true. The list of text types (`text_mime_types`)
#           is one of prefixes, and no suffix +json is looked for.
# Matters:  A REST API of API Gateway decodes base64 only for types in its binaryMediaTypes. There, and in any test
#           that reads the function's answer, every success can be read and every refusal ("insufficient credits") is
#           base64.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages mangum==0.22.0 starlette==1.10.0
cat >problem.py <<'PY'
from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route


async def refuse(request):
    media_type = f"application/{request.path_params['kind']}"
    return Response('{"title":"Insufficient credits"}', status_code=402, media_type=media_type)


handler = Mangum(Starlette(routes=[Route("/{kind}", refuse)]), lifespan="off")
for kind in ("json", "problem+json", "hal+json"):
    answer = handler({
        "version": "2.0", "routeKey": "$default", "rawPath": f"/{kind}", "rawQueryString": "", "headers": {},
        "requestContext": {"stage": "$default", "http": {
            "method": "GET", "path": f"/{kind}", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "-"}},
        "body": None, "isBase64Encoded": False}, None)
    print(f"{kind}: base64 {answer['isBase64Encoded']}, body {answer['body']}")
PY
python problem.py >seen
holds seen <<'SEEN'
json: base64 False, body {"title":"Insufficient credits"}
problem+json: base64 True, body eyJ0aXRsZSI6Ikluc3VmZmljaWVudCBjcmVkaXRzIn0=
hal+json: base64 True, body eyJ0aXRsZSI6Ikluc3VmZmljaWVudCBjcmVkaXRzIn0=
SEEN
