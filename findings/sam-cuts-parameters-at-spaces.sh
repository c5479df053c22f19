#!/usr/bin/env bash
# SAM's command line cuts the value of a parameter at the first space or quotation mark.
#
# Guess:    What the shell passes as one argument, Sender=Acme Credits or PriceBook={"dubbing":10}, is deployed as it
#           is, and so is the same text in samconfig.toml. Otherwise it is refused.
# Seen:     2026-11-30, aws-sam-cli 1.170.0: CloudFormation is sent "Acme" and "{". There is no error, and a list in
#           samconfig.toml is cut in the same way. A second pair of quotes inside the argument, or a table in
#           samconfig.toml, keeps the text whole.
# Matters:  A parameter that is JSON, such as a price book, or that has a space, such as the sender of mails, goes out
#           as something else. A stack that checks nothing is deployed with it, and mails have another sender.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages aws-sam-cli==1.170.0
cat >template.yaml <<'YAML'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Sender: {Type: String}
  PriceBook: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic}
YAML
cat >stack.py <<'PY'
# A CloudFormation without stacks, which prints the parameters of each change set and refuses it.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class CloudFormation(BaseHTTPRequestHandler):
    def do_POST(self):
        form = {name: values[0] for name, values in parse_qs(
            self.rfile.read(int(self.headers["content-length"])).decode(), keep_blank_values=True).items()}
        if form["Action"] == "CreateChangeSet":
            names = [name for name in form if name.endswith(".ParameterKey")]
            with open("sent", "w") as sent:
                print(*(f"{form[name]} is {form[name.replace('Key', 'Value')]}" for name in names), sep=", ", file=sent)
        body = (b"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
                b"<Message>Stack with id credits does not exist</Message></Error></ErrorResponse>")
        self.send_response(400)
        self.send_header("content-type", "text/xml")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), CloudFormation)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
# deploy ARGUMENT…: the parameters that SAM sends.
deploy() {
  rm -f sent
  HOME=$LAB SAM_CLI_TELEMETRY=0 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_MAX_ATTEMPTS=1 \
    AWS_ENDPOINT_URL="http://127.0.0.1:$(cat port)" sam deploy --template template.yaml --stack-name credits \
    --region eu-central-1 --no-confirm-changeset "$@" >/dev/null 2>&1 || true
  cat sent
}
python stack.py >port &
trap 'kill %1; rm -rf "$LAB"' EXIT
until [ -s port ]; do sleep 0.1; done
{
  echo 'arguments:   ' "$(deploy --parameter-overrides 'Sender=Acme Credits' 'PriceBook={"dubbing":10}')"
  echo 'quoted twice:' "$(deploy --parameter-overrides "Sender='Acme Credits'" "PriceBook='{\"dubbing\":10}'")"
  printf '%s\n' 'version = 0.1' '[default.deploy.parameters]' \
    "parameter_overrides = ['Sender=Acme Credits', 'PriceBook={\"dubbing\":10}']" >samconfig.toml
  echo 'TOML, a list:' "$(deploy)"
  printf '%s\n' 'version = 0.1' '[default.deploy.parameters.parameter_overrides]' \
    "Sender = 'Acme Credits'" "PriceBook = '{\"dubbing\":10}'" >samconfig.toml
  echo 'TOML, a table:' "$(deploy)"
} >seen
holds seen <<'SEEN'
arguments:    Sender is Acme, PriceBook is {
quoted twice: Sender is Acme Credits, PriceBook is {"dubbing":10}
TOML, a list: Sender is Acme, PriceBook is {
TOML, a table: Sender is Acme Credits, PriceBook is {"dubbing":10}
SEEN
