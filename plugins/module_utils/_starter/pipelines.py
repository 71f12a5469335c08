# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for GitHub Actions and GitLab: validate a change, comment with its plan, apply it once it is merged. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# What both do. The plan goes into a file, which becomes the comment; the exit code of the check is that of the job.
_VALIDATE = "ansible-playbook pextra.cloud.validate"
_PLAN = 'ansible-playbook pextra.cloud.site --check --diff --extra-vars "@$SECRETS"'
_APPLY = 'ansible-playbook pextra.cloud.site --diff --extra-vars "@$SECRETS"'

# Not by anchors, which not every server of theirs knows. Runners of one's own have keys of their own: none is touched.
_GITHUB_KEYS = """\
- name: Have keys and secrets, out of the way of arguments and logs
        env:
          PEXTRA_SECRETS: ${{ secrets.PEXTRA_SECRETS }}
          SSH_PRIVATE_KEY: ${{ secrets.SSH_PRIVATE_KEY }}
          SSH_KNOWN_HOSTS: ${{ secrets.SSH_KNOWN_HOSTS }}
        run: |
          umask 077
          printf '%s\\n' "$PEXTRA_SECRETS" >"$RUNNER_TEMP/secrets.yml"
          printf '%s\\n' "$SSH_PRIVATE_KEY" >"$RUNNER_TEMP/id"
          printf '%s\\n' "$SSH_KNOWN_HOSTS" >"$RUNNER_TEMP/known_hosts"
          {
            echo "SECRETS=$RUNNER_TEMP/secrets.yml"
            echo "ANSIBLE_PRIVATE_KEY_FILE=$RUNNER_TEMP/id"
            echo "ANSIBLE_SSH_COMMON_ARGS=-o UserKnownHostsFile=$RUNNER_TEMP/known_hosts"
          } >>"$GITHUB_ENV"
"""

_GITHUB = f"""---
# Secrets of the repository: SSH_PRIVATE_KEY (may log in on the hosts), SSH_KNOWN_HOSTS (their keys, as of ssh-keyscan,
# compared), PEXTRA_SECRETS (YAML: pextra_ca_private_key and pextra_ca_certificate, from ~/.pextra/NAME/ca). A runner
# has to reach the hosts: use one of your own where they are not on the internet. What is revoked it learns from the
# nodes; playbooks that revoke (decommission) are run where ~/.pextra/NAME/ca is kept.
name: cloud
"on":
  pull_request:
  push:
    branches: [main]

permissions:
  contents: read

jobs:
  validate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: pip install -r requirements.txt && ansible-galaxy collection install -r requirements.yml
      - run: {_VALIDATE}

  plan:
    # Of a fork there are no secrets.
    if: github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository
    needs: validate
    runs-on: ubuntu-latest
    # One at a time of each pull request, and none is stopped in the middle. Of several that wait in a group, only the
    # newest is run: in one with the job apply, it would take the place of a change that has been merged.
    concurrency:
      group: cloud-plan-${{{{ github.event.number }}}}
      cancel-in-progress: false
    permissions:
      contents: read
      pull-requests: write
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: pip install -r requirements.txt && ansible-galaxy collection install -r requirements.yml
      {_GITHUB_KEYS}      - name: Plan
        run: |
          set -o pipefail
          {_PLAN} 2>&1 | tee plan.txt
      - name: Comment with the plan
        if: always()
        env:
          GH_TOKEN: ${{{{ github.token }}}}
          NUMBER: ${{{{ github.event.number }}}}
        run: |
          {{ echo '```'; tail -c 60000 plan.txt; echo '```'; }} >comment.md
          gh pr comment "$NUMBER" --body-file comment.md

  apply:
    if: github.event_name == 'push'
    needs: validate
    runs-on: ubuntu-latest
    environment: production
    # One at a time, and none is stopped in the middle.
    concurrency:
      group: cloud-apply
      cancel-in-progress: false
    steps:
      # What the branch holds by now: whichever of several is run last, nothing older is applied over it.
      - uses: actions/checkout@v4
        with: {{ref: "${{{{ github.ref_name }}}}"}}
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: pip install -r requirements.txt && ansible-galaxy collection install -r requirements.yml
      {_GITHUB_KEYS}      - name: Apply
        run: {_APPLY}
"""

_GITLAB = f"""---
# Variables of the project, of the type file: SSH_PRIVATE_KEY (may log in on the hosts), SSH_KNOWN_HOSTS (their keys, as
# of ssh-keyscan, compared), SECRETS (YAML: pextra_ca_private_key and pextra_ca_certificate, from ~/.pextra/NAME/ca);
# and COMMENT_TOKEN, a token of the project that may write comments. A runner has to reach the hosts. What is revoked it
# learns from the nodes; playbooks that revoke (decommission) are run where ~/.pextra/NAME/ca is kept.
image: python:3.12

# The runner's containers let everybody write to what was checked out, where Ansible reads no ansible.cfg by itself.
variables:
  ANSIBLE_CONFIG: $CI_PROJECT_DIR/ansible.cfg

stages: [validate, plan, apply]

.ansible:
  before_script:
    - apt-get update && apt-get install --yes openssh-client
    - pip install -r requirements.txt && ansible-galaxy collection install -r requirements.yml

.hosts:
  extends: .ansible
  # One at a time.
  resource_group: cloud
  script:
    - umask 077 && mkdir -p ~/.ssh
    - cp "$SSH_PRIVATE_KEY" ~/.ssh/id_ed25519
    - cp "$SSH_KNOWN_HOSTS" ~/.ssh/known_hosts

validate:
  extends: .ansible
  stage: validate
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  script:
    - {_VALIDATE}

plan:
  extends: .hosts
  stage: plan
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  script:
    - !reference [.hosts, script]
    - {_PLAN} >plan.txt 2>&1 || failed=yes
    - cat plan.txt
    - "{{ echo '```'; tail -c 60000 plan.txt; echo '```'; }} >comment.md"
    - >-
      curl --fail --silent --show-error --output /dev/null
      --header @<(printf 'PRIVATE-TOKEN: %s' "$COMMENT_TOKEN") --data-urlencode body@comment.md
      "$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
    - test -z "$failed"

apply:
  extends: .hosts
  stage: apply
  environment: production
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  script:
    - !reference [.hosts, script]
    - {_APPLY}
"""
_FILES = {"github": (".github/workflows/cloud.yml", _GITHUB), "gitlab": (".gitlab-ci.yml", _GITLAB)}


def render_pipelines(services: Sequence[str]) -> dict[str, str]:
    """Return the files of services, by name."""
    return dict(_FILES[service] for service in services)
