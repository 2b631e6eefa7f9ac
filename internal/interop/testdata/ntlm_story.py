"""A request to Exchange that is signed in by NTLM, made with requests_ntlm.

It prints one line of JSON with the status of the answer.
"""

import os
import warnings

import story


def main():
    import requests
    from cryptography.hazmat.backends import default_backend
    from requests_ntlm import HttpNtlmAuth

    p = story.parser(__doc__)
    p.add_argument("--unbound", action="store_true", help="leave the channel binding out")
    args = p.parse_args()
    warnings.simplefilter("ignore")
    default_backend()  # has OpenSSL know MD4, which a channel binding does otherwise
    os.environ["NO_PROXY"] = "*"
    auth = HttpNtlmAuth(args.user, story.secret(), send_cbt=not args.unbound)
    answer = requests.get(f"https://{args.host}:{args.port}/EWS/Exchange.asmx", auth=auth, verify=args.ca, timeout=args.timeout)
    story.say("asked", status=answer.status_code)


if __name__ == "__main__":
    main()
