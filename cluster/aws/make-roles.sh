#!/usr/bin/env bash
# Makes the two roles that cluster.yaml names, once an account: bash cluster/aws/make-roles.sh BUCKET
set -euo pipefail
bucket=${1:?name the bucket that holds data and runs}
here=$(cd "$(dirname "$0")" && pwd)
for role in head worker; do
  aws iam create-role --role-name "dcgan-$role" --assume-role-policy-document "file://$here/trust.json" >/dev/null
  aws iam create-instance-profile --instance-profile-name "dcgan-$role" >/dev/null
  aws iam add-role-to-instance-profile --instance-profile-name "dcgan-$role" --role-name "dcgan-$role"
  # The head drives runs too, and reads what they write.
  aws iam put-role-policy --role-name "dcgan-$role" --policy-name runs \
    --policy-document "$(sed "s/BUCKET/$bucket/" "$here/worker-role.json")"
done
aws iam put-role-policy --role-name dcgan-head --policy-name machines --policy-document "file://$here/head-role.json"
echo "made dcgan-head and dcgan-worker, which may read s3://$bucket and write below s3://$bucket/runs"
