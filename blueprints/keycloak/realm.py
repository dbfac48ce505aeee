"""Makes the realm, its groups, clients, directory and SAML provider; corrects what differs. Safe to run again.

What is wanted is in realm.json. A script over the administration interface instead of a realm file, because Keycloak
skips a file whose realm exists; instead of kcadm.sh, because that takes secrets as arguments and starts Java at every
call. What people made in the console and this script does not name is left alone.
"""

import json
import pathlib
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

# Marks what this script made, and may take away again.
MARK = "lakewright"
BOOT = "is_temporary_admin"


def say(text: str) -> None:
    print(f"realm: {text}", flush=True)


def secret(path: str) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def differs(have: object, want: object) -> bool:
    """Whether something that is wanted is not so; what is there besides does not matter."""
    if isinstance(want, dict):
        return not isinstance(have, dict) or any(differs(have.get(key), value) for key, value in want.items())
    if isinstance(want, list) and isinstance(have, list):
        return sorted(map(str, have)) != sorted(map(str, want))
    return have != want


def merged(have: dict, want: dict) -> dict:
    both = dict(have)
    for key, value in want.items():
        both[key] = merged(have.get(key) or {}, value) if isinstance(value, dict) else value
    return both


class Keycloak:
    def __init__(self, wanted: dict, patience: float = 300):
        self.server, self.client, self.secret = wanted["server"], wanted["client"], secret(wanted["secret"])
        authority = wanted.get("authority")
        self.trust = ssl.create_default_context(cafile=authority) if authority else None
        self.realm = urllib.parse.quote(wanted["realm"])
        self.patience, self.token = patience, ""

    def send(self, request: urllib.request.Request) -> object:
        with urllib.request.urlopen(request, timeout=60, context=self.trust) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def login(self) -> None:
        form = {"grant_type": "client_credentials", "client_id": self.client, "client_secret": self.secret}
        address = f"{self.server}/realms/master/protocol/openid-connect/token"
        limit = time.monotonic() + self.patience
        while True:
            try:
                self.token = self.send(urllib.request.Request(address, urllib.parse.urlencode(form).encode()))["access_token"]
                return
            except urllib.error.HTTPError as error:
                if error.code in (400, 401):
                    sys.exit(
                        f"realm: Keycloak does not take the secret of {self.client}: set it in the console, realm master, "
                        f"or put the one that is set there into the secret's file ({error.read().decode()})"
                    )
                problem = error
            except OSError as error:
                problem = error
            if time.monotonic() > limit:
                sys.exit(f"realm: {address}: {problem}")
            time.sleep(3)

    def takes(self, user: str, password: str) -> bool:
        """Whether somebody of `master` logs in with a password."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": user, "password": password}
        address = f"{self.server}/realms/master/protocol/openid-connect/token"
        try:
            self.send(urllib.request.Request(address, urllib.parse.urlencode(form).encode()))
        except urllib.error.HTTPError as error:
            if error.code in (400, 401):
                return False
            raise
        return True

    def ask(self, method: str, path: str, body: object = None, realm: str | None = None) -> object:
        """The answer; None for what is not there."""
        address = f"{self.server}/admin/realms{f'/{realm or self.realm}' if path is not None else ''}{path or ''}"
        data = None if body is None else json.dumps(body).encode()
        for attempt in (1, 2):
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            try:
                return self.send(urllib.request.Request(address, data, headers, method=method))
            except urllib.error.HTTPError as error:
                # Tokens of `master` hold for a minute.
                if error.code == 401 and attempt == 1:
                    self.login()
                    continue
                if error.code == 404 and method == "GET":
                    return None
                sys.exit(f"realm: {method} {address}: {error.code} {error.read().decode(errors='replace')[:500]}")
        return None


def settings(keycloak: Keycloak, wanted: dict) -> None:
    want = {
        "enabled": True,
        "registrationAllowed": False,
        "bruteForceProtected": True,
        "permanentLockout": False,
        "internationalizationEnabled": True,
        "supportedLocales": ["en", "fr"],
        # Who did what, for 90 days; without what was written, which may hold secrets.
        "eventsEnabled": True,
        "eventsExpiration": 90 * 86400,
        "adminEventsEnabled": True,
        "adminEventsDetailsEnabled": False,
        **wanted["settings"],
    }
    have = keycloak.ask("GET", "")
    if have is None:
        keycloak.ask("POST", None, {"realm": wanted["realm"], **want})
        say(f"made the realm {wanted['realm']}")
    elif differs(have, want):
        keycloak.ask("PUT", "", want)
        say("corrected the realm's settings")
    want = {"bruteForceProtected": True, "sslRequired": wanted["settings"]["sslRequired"]}
    if differs(keycloak.ask("GET", "", realm="master"), want):
        keycloak.ask("PUT", "", want, realm="master")
        say("corrected the settings of master")


def administrators(keycloak: Keycloak, wanted: dict) -> None:
    """The one for emergencies, with the password of its secret; and this script's client, which is not to be temporary."""
    for client in keycloak.ask("GET", f"/clients?clientId={wanted['client']}", realm="master"):
        if client.get("attributes", {}).get(BOOT):
            client["attributes"][BOOT] = ""
            keycloak.ask("PUT", f"/clients/{client['id']}", client, realm="master")
    name, password = wanted["admin"]["user"], secret(wanted["admin"]["secret"])
    path = f"/users?exact=true&username={urllib.parse.quote(name)}"
    users = keycloak.ask("GET", path, realm="master")
    if not users:
        keycloak.ask("POST", "/users", {"username": name, "enabled": True}, realm="master")
        users = keycloak.ask("GET", path, realm="master")
        say(f"made the administrator {name}")
    user = users[0]
    if not user["enabled"]:
        keycloak.ask("PUT", f"/users/{user['id']}", {**user, "enabled": True}, realm="master")
        say(f"{name} is enabled again")
    roles = f"/users/{user['id']}/role-mappings/realm"
    if "admin" not in [role["name"] for role in keycloak.ask("GET", roles, realm="master")]:
        keycloak.ask("POST", roles, [keycloak.ask("GET", "/roles/admin", realm="master")], realm="master")
        say(f"{name} is an administrator")
    # Only a login tells whether it is still the same. With a second factor none succeeds, and it is set again, which
    # harms nobody.
    if not keycloak.takes(name, password):
        keycloak.ask("PUT", f"/users/{user['id']}/reset-password", {"type": "password", "value": password, "temporary": False}, realm="master")
        say(f"set the password of {name} to that of its secret")


def groups(keycloak: Keycloak, wanted: dict) -> dict[str, str]:
    """Ids of the wanted groups, by name."""
    have = {group["name"]: group["id"] for group in keycloak.ask("GET", "/groups?first=0&max=100000")}
    for name in wanted.get("groups", []):
        if name not in have:
            keycloak.ask("POST", "/groups", {"name": name})
            say(f"made the group {name}")
    return have


def mappers(client_id: str) -> list[dict]:
    tokens = {"id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true"}
    made = {
        "groups": ("oidc-group-membership-mapper", {"claim.name": "groups", "full.path": "false", **tokens}),
        "audience": ("oidc-audience-mapper", {"included.client.audience": client_id, "id.token.claim": "false", "access.token.claim": "true"}),
    }
    return [
        {"name": f"{MARK}-{name}", "protocol": "openid-connect", "protocolMapper": kind, "config": config}
        for name, (kind, config) in made.items()
    ]


def clients(keycloak: Keycloak, wanted: dict) -> None:
    """One for each component that asks for one. Those of components that are gone go."""
    have = {client["clientId"]: client for client in keycloak.ask("GET", "/clients")}
    named = set()
    for binding in wanted.get("clients", []):
        name, back = binding["client_id"], binding.get("redirect")
        named.add(name)
        page = binding.get("page")
        want = {
            "name": binding["consumer"],
            "enabled": True,
            "protocol": "openid-connect",
            "publicClient": False,
            "clientAuthenticatorType": "client-secret",
            "secret": secret(binding["secret"]),
            "standardFlowEnabled": back is not None,
            "implicitFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "serviceAccountsEnabled": False,
            "fullScopeAllowed": False,
            "redirectUris": [back] if back else [],
            "webOrigins": [page] if page else [],
            "attributes": {
                MARK: "made",
                "pkce.code.challenge.method": "S256" if (binding.get("params") or {}).get("pkce", True) else "",
                "post.logout.redirect.uris": f"{page}##{page}/" if page else "",
            },
        }
        if page:
            want["baseUrl"] = f"{page}/"
        if name not in have:
            keycloak.ask("POST", "/clients", {"clientId": name, **want, "protocolMappers": mappers(name)})
            say(f"made the client {name}")
            continue
        client = have[name]
        # An attribute that is empty is not kept.
        client["attributes"] = {**dict.fromkeys(want["attributes"], ""), **client.get("attributes", {})}
        if differs(client, want):
            keycloak.ask("PUT", f"/clients/{client['id']}", merged(client, want))
            say(f"corrected the client {name}")
        there = {mapper["name"]: mapper for mapper in client.get("protocolMappers", [])}
        for mapper in mappers(name):
            path = f"/clients/{client['id']}/protocol-mappers/models"
            if mapper["name"] not in there:
                keycloak.ask("POST", path, mapper)
            elif differs(there[mapper["name"]], mapper):
                old = there[mapper["name"]]
                keycloak.ask("PUT", f"{path}/{old['id']}", merged(old, mapper))
    for name, client in have.items():
        if name not in named and client.get("attributes", {}).get(MARK):
            keycloak.ask("DELETE", f"/clients/{client['id']}")
            say(f"took away the client {name}")


def directory(keycloak: Keycloak, wanted: dict) -> None:
    """The LDAP directory, which is only read."""
    ldap, ad = wanted.get("ldap", {}), wanted.get("ldap", {}).get("vendor") == "ad"
    kind = "org.keycloak.storage.UserStorageProvider"
    have = [one for one in keycloak.ask("GET", f"/components?type={kind}") if one["name"] == f"{MARK}-ldap"]
    if "url" not in ldap:
        for one in have:
            keycloak.ask("DELETE", f"/components/{one['id']}")
            say("took away the directory: nobody logs in with its passwords any more")
        return
    config = {
        "enabled": "true",
        "vendor": "ad" if ad else "other",
        "connectionUrl": ldap["url"],
        "startTls": str(ldap["start_tls"]).lower(),
        "useTruststoreSpi": "always",
        "usersDn": ldap["users"],
        "searchScope": "2",
        "customUserSearchFilter": ldap.get("filter", ""),
        "authType": "simple" if "bind" in ldap else "none",
        "bindDn": ldap.get("bind", ""),
        "usernameLDAPAttribute": "sAMAccountName" if ad else "uid",
        "rdnLDAPAttribute": "cn" if ad else "uid",
        "uuidLDAPAttribute": "objectGUID" if ad else "entryUUID",
        "userObjectClasses": "person, organizationalPerson, user" if ad else "inetOrgPerson, organizationalPerson",
        "editMode": "READ_ONLY",
        "importEnabled": "true",
        "syncRegistrations": "false",
        "trustEmail": "true",
        "pagination": "true",
        "connectionPooling": "true",
        "connectionTimeout": "5000",
        "readTimeout": "10000",
        # Who is no longer in the directory is noticed once a day, who changed once an hour; a login asks at once.
        "fullSyncPeriod": "86400",
        "changedSyncPeriod": "3600",
        "batchSizeForSync": "1000",
        # Else groups that somebody was in once are kept and given at later logins.
        "cachePolicy": "NO_CACHE",
    }
    want = {"name": f"{MARK}-ldap", "providerId": "ldap", "providerType": kind, "config": {k: [v] for k, v in config.items() if v}}
    # What is kept comes back as stars, so it is written each time.
    if "bind" in ldap:
        want["config"]["bindCredential"] = [secret(ldap["secret"])]
    put(keycloak, have, want, "the directory")
    have = [one for one in keycloak.ask("GET", f"/components?type={kind}") if one["name"] == f"{MARK}-ldap"]
    parent, kind = have[0]["id"], "org.keycloak.storage.ldap.mappers.LDAPStorageMapper"
    there = [one for one in keycloak.ask("GET", f"/components?parent={parent}&type={kind}") if one["name"] == f"{MARK}-groups"]
    if "groups" not in ldap:
        for one in there:
            keycloak.ask("DELETE", f"/components/{one['id']}")
        return
    config = {
        "groups.dn": ldap["groups"],
        "group.name.ldap.attribute": "cn",
        "group.object.classes": "group" if ad else "groupOfNames",
        "preserve.group.inheritance": "false",
        "ignore.missing.groups": "false",
        "membership.ldap.attribute": "member",
        "membership.attribute.type": "DN",
        "membership.user.ldap.attribute": config["usernameLDAPAttribute"],
        "mode": "READ_ONLY",
        "user.roles.retrieve.strategy": "LOAD_GROUPS_BY_MEMBER_ATTRIBUTE",
        "memberof.ldap.attribute": "memberOf",
        "drop.non.existing.groups.during.sync": "false",
        "groups.path": "/",
    }
    config = {key: [value] for key, value in config.items()}
    want = {"name": f"{MARK}-groups", "providerId": "group-ldap-mapper", "providerType": kind, "parentId": parent, "config": config}
    put(keycloak, there, want, "the directory's groups")


def put(keycloak: Keycloak, have: list[dict], want: dict, what: str) -> None:
    if not have:
        keycloak.ask("POST", "/components", want)
        say(f"made {what}")
    elif differs(have[0], want):
        keycloak.ask("PUT", f"/components/{have[0]['id']}", merged(have[0], want))
        say(f"wrote {what}")


def provider(keycloak: Keycloak, wanted: dict) -> None:
    """The SAML provider, behind the button of the same name."""
    saml, path = wanted.get("saml", {}), "/identity-provider/instances"
    have = keycloak.ask("GET", f"{path}/saml")
    if "url" not in saml:
        # One that people made in the console is theirs.
        if have is not None and have["config"].get(MARK):
            keycloak.ask("DELETE", f"{path}/saml")
            say("took away the SAML provider")
        return
    want = {
        "alias": "saml",
        "displayName": "SAML",
        "providerId": "saml",
        "enabled": True,
        "trustEmail": True,
        "config": {
            MARK: "made",
            "idpEntityId": saml["entity_id"],
            "singleSignOnServiceUrl": saml["url"],
            "signingCertificate": saml["certificate"],
            "validateSignature": "true",
            "wantAssertionsSigned": "true",
            "wantAuthnRequestsSigned": "true",
            "signatureAlgorithm": "RSA_SHA256",
            "postBindingResponse": "true",
            "postBindingAuthnRequest": "true",
            "principalType": "SUBJECT",
            "nameIDPolicyFormat": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
            # At every login: who lost a group loses it here.
            "syncMode": "FORCE",
        },
    }
    if have is None:
        keycloak.ask("POST", path, want)
        say("made the SAML provider")
    elif differs(have, want):
        keycloak.ask("PUT", f"{path}/saml", merged(have, want))
        say("corrected the SAML provider")
    have = {one["name"]: one for one in keycloak.ask("GET", f"{path}/saml/mappers")}
    for name, kind, config in taken_over(saml, wanted.get("groups", [])):
        want = {"name": name, "identityProviderAlias": "saml", "identityProviderMapper": kind, "config": {"syncMode": "INHERIT"} | config}
        if name not in have:
            keycloak.ask("POST", f"{path}/saml/mappers", want)
        elif differs(have[name], want):
            keycloak.ask("PUT", f"{path}/saml/mappers/{have[name]['id']}", merged(have[name], want))
    known_by_provider(keycloak)


def taken_over(saml: dict, groups: list[str]) -> Iterator[tuple[str, str, dict]]:
    """What is taken from the provider's attributes: name, kind and settings of each mapper."""
    for ours, attribute in (("email", saml["email"]), ("firstName", saml["given_name"]), ("lastName", saml["family_name"])):
        yield f"{MARK}-{ours}", "saml-user-attribute-idp-mapper", {"attribute.name": attribute, "user.attribute": ours}
    for group in groups:
        attributes = json.dumps([{"key": saml["groups"], "value": group}])
        config = {"are.attribute.values.regex": "false", "attributes": attributes, "group": f"/{group}"}
        yield group, "saml-advanced-group-idp-mapper", config


def known_by_provider(keycloak: Keycloak) -> None:
    """Who comes the first time keeps the name that the provider knows them by: Keycloak's page for what is missing would let
    them choose another, by which other systems would take them for somebody else."""
    flow = urllib.parse.quote("first broker login")
    steps = keycloak.ask("GET", f"/authentication/flows/{flow}/executions") or []
    for step in (one for one in steps if one.get("providerId") == "idp-review-profile" and "authenticationConfig" in one):
        have = keycloak.ask("GET", f"/authentication/config/{step['authenticationConfig']}")
        want = {"config": {"update.profile.on.first.login": "off"}}
        if differs(have, want):
            keycloak.ask("PUT", f"/authentication/config/{have['id']}", merged(have, want))
            say("let nobody choose a name at the first login")


def main(path: str) -> None:
    wanted = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    keycloak = Keycloak(wanted)
    keycloak.login()
    settings(keycloak, wanted)
    administrators(keycloak, wanted)
    groups(keycloak, wanted)
    clients(keycloak, wanted)
    directory(keycloak, wanted)
    provider(keycloak, wanted)
    say("all is as the topology says")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "/opt/lakewright/realm.json")
