#!/usr/bin/env bash
# A certificate for the connections between Ray's processes (the switch is in node.env), good for a year:
#   bash cluster/make-certificate.sh 10.0.0.1 10.0.0.2
# It is for the machines with these addresses, which all have the same one, in ~/dcgan-tls: this writes it there. For
# other machines make a new one; the key that has signed it is not kept.
set -euo pipefail
if [ $# = 0 ]; then
  echo "error: name the addresses of all machines: bash cluster/make-certificate.sh ADDRESS..." >&2
  exit 2
fi
umask 077
mkdir -p "$HOME/dcgan-tls"
cd "$HOME/dcgan-tls"
names=DNS:localhost,IP:127.0.0.1
for address in "$@"; do names+=,IP:$address; done
openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj "/CN=dcgan-dist authority" \
  -keyout authority.key -out ca.crt 2>/dev/null
openssl req -newkey rsa:3072 -nodes -subj "/CN=dcgan-dist machine" -keyout host.key -out host.csr 2>/dev/null
openssl x509 -req -in host.csr -CA ca.crt -CAkey authority.key -CAcreateserial -days 365 -out host.crt \
  -extfile <(echo "subjectAltName=$names") 2>/dev/null
rm -f authority.key host.csr ca.srl
echo "wrote $PWD/ca.crt, host.crt and host.key"
