"""Verifies AWS Signature Version 4 of a request, written from the specification and on its own (nothing is
shared with hitless or botocore), so that the two sides check each other."""
import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

MAX_SKEW_S = 15 * 60


class Refused(Exception):
    def __init__(self, code, message, status=403):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(secret, date, region, service, text):
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def canonical(method, path, query, headers, names, body):
    pairs = sorted((urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
                   for k, v in urllib.parse.parse_qsl(query, keep_blank_values=True))
    lines = [method, urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~"),
             "&".join(f"{k}={v}" for k, v in pairs)]
    for name in names:
        value = ",".join(re.sub(" +", " ", v.strip()) for v in headers.get_all(name, []))
        lines.append(f"{name}:{value}")
    return "\n".join(lines + ["", ";".join(names), hashlib.sha256(body).hexdigest()])


def verify(method, target, headers, body, keys, region, clock_offset_s=0):
    """The service name that it was signed for and the key's id. keys: id -> {secret, token?, expires?}"""
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
                         r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", headers.get("Authorization", ""))
    if not found:
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token")
    key_id, date, key_region, service, signed, given = found.groups()
    key = keys.get(key_id)
    if key is None:
        code = "InvalidClientTokenId" if service != "ec2" else "AuthFailure"
        raise Refused(code, "The security token included in the request is invalid.")
    now = time.time() + clock_offset_s
    stamp = headers.get("X-Amz-Date", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or stamp[:8] != date:
        raise Refused("IncompleteSignature", "Date must be in the credential scope")
    sent = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    names = signed.split(";")
    if names != sorted(names) or "host" not in names or "x-amz-date" not in names:
        raise Refused("IncompleteSignature", "Host and X-Amz-Date must be signed, names sorted")
    token = headers.get("X-Amz-Security-Token")
    if token is not None and "x-amz-security-token" not in names:
        raise Refused("IncompleteSignature", "X-Amz-Security-Token must be signed")
    path, _, query = target.partition("?")
    text = canonical(method, path, query, headers, names, body)
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, f"{date}/{key_region}/{service}/aws4_request",
                         hashlib.sha256(text.encode()).hexdigest()])
    if not hmac.compare_digest(signature(key["secret"], date, key_region, service, to_sign), given):
        raise Refused("SignatureDoesNotMatch", "The request signature we calculated does not match the signature "
                      f"you provided.\n\nThe Canonical String for this request should have been\n'{text}'\n")
    if abs(now - sent) > MAX_SKEW_S:
        server = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        raise Refused("SignatureDoesNotMatch", f"Signature expired: {stamp} is now earlier than {server}")
    if key_region != region:
        raise Refused("SignatureDoesNotMatch", f"Credential should be scoped to a valid region, not '{key_region}'.")
    if token != key.get("token"):
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    if key.get("expires", now + 1) <= now:
        raise Refused("ExpiredToken", "The security token included in the request is expired")
    return service, key_id
