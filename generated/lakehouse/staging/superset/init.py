# Made by lakewright from blueprint superset, init.py.tera. Change that and build again: edits here are lost.
"""The administrator, the platform's roles and the connection to Dremio: made when missing, corrected when they differ.

A script instead of `superset fab create-admin`, because that takes the password as an argument, where every process of
the host can read it.
"""

import json
import pathlib
import sys
import uuid

from superset.app import create_app

ADMIN = "admin"
EMAIL = "admin@staging.data.example.com"
CONNECTION = "Dremio"


def secret(path: str) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def say(text: str) -> None:
    print(f"init: {text}", flush=True)


def administrator(sm, password: str) -> None:
    from werkzeug.security import check_password_hash

    role = sm.find_role("Admin")
    user = sm.find_user(username=ADMIN)
    if user is None:
        if sm.find_user(email=EMAIL) is not None:
            sys.exit(f"init: another user than {ADMIN} has the address {EMAIL}; set admin_email or remove that user")
        if not sm.add_user(ADMIN, "Platform", "Administrator", EMAIL, role, password):
            sys.exit(f"init: the administrator {ADMIN} could not be made")
        say(f"made the administrator {ADMIN}")
        return
    if role not in user.roles or not user.active:
        user.roles = [*user.roles, role] if role not in user.roles else user.roles
        user.active = True
        sm.update_user(user)
        say(f"{ADMIN} is an active administrator again")
    if not user.password or not check_password_hash(user.password, password):
        sm.reset_password(user.id, password)
        say(f"set the password of {ADMIN} to that of its secret")


# What a person needs to look at dashboards; not the lists of charts, datasets and databases, no exploring, no SQL.
# Which dashboards: those whose roles name it (feature flag DASHBOARD_RBAC), or whose datasets it is granted.
VIEWER = {
    "AdvancedDataType": {"can_read"},
    "Api": {"can_time_range"},
    "AsyncEventsRestApi": {"can_list"},
    "AvailableDomains": {"can_read"},
    "Chart": {"can_read"},
    "CssTemplate": {"can_read"},
    "CurrentUserRestApi": {"can_read", "can_write"},
    "Dashboard": {"can_read", "can_view_chart_as_table"},
    "DashboardFilterStateRestApi": {"can_read", "can_write"},
    "DashboardPermalinkRestApi": {"can_read", "can_write"},
    "Dashboards": {"menu_access"},
    "EmbeddedDashboard": {"can_read"},
    "Home": {"menu_access"},
    "Log": {"can_recent_activity"},
    "MenuApi": {"can_get"},
    "ResetMyPasswordView": {"can_this_form_get", "can_this_form_post"},
    "Superset": {"can_dashboard", "can_dashboard_permalink", "can_explore_json", "can_language_pack", "can_log"},
    "Theme": {"can_read"},
    "UserDBModelView": {"can_userinfo", "resetmypassword"},
    "UserLDAPModelView": {"can_userinfo"},
    "UserOAuthModelView": {"can_userinfo"},
}


def viewer(sm) -> None:
    # Taken from Gamma, so that nothing is granted that this version does not know.
    wanted = {
        p for p in sm.find_role("Gamma").permissions
        if p.permission and p.view_menu and p.permission.name in VIEWER.get(p.view_menu.name, ())
    }
    assign(sm, "DashboardViewer", wanted)


def assign(sm, name: str, wanted: set) -> None:
    from superset import db

    role = sm.find_role(name) or sm.add_role(name)
    if {p.id for p in role.permissions} != {p.id for p in wanted}:
        role.permissions = sorted(wanted, key=lambda p: p.id)
        db.session.commit()
        say(f"set the role {name}: {len(wanted)} permissions")


def main() -> None:
    app = create_app()
    with app.app_context():
        from superset import security_manager as sm

        administrator(sm, secret("/run/secrets/superset-admin"))
        viewer(sm)
        engine(sm)
        measurements()
    say("done")


def measurements() -> None:
    """Lets the role that measures read who did something when, and what browsers report; nothing else."""
    from sqlalchemy import text

    from superset import db

    database, reader = "\"superset\"", "\"superset_metrics\""
    with db.engine.begin() as connection:
        connection.execute(text(f"GRANT CONNECT ON DATABASE {database} TO {reader}"))
        connection.execute(text(f"GRANT SELECT (id, action, user_id, dttm, json) ON logs TO {reader}"))


def engine(sm) -> None:
    from sqlalchemy.engine.url import URL

    from superset import db
    from superset.models.core import Database

    uri = URL.create(
        "dremio+flight",
        username="superset_engine",
        password=secret("/run/secrets/dremio-superset-engine"),
        host="dremio",
        port=32010,
        database="dremio",
        # The flow stays on a network of its own between the two; the driver would try TLS otherwise.
        query={"UseEncryption": "false"},
    ).render_as_string(hide_password=False)

    # By its identifier, so that people may rename it.
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, "lakewright:" + "lakehouse" + "/" + "superset")
    found = db.session.query(Database).filter_by(uuid=identifier).one_or_none()
    if found is None:
        found = db.session.query(Database).filter_by(database_name=CONNECTION).one_or_none()
    if found is None:
        found = Database(
            database_name=CONNECTION,
            uuid=identifier,
            expose_in_sqllab=True,
            allow_run_async=True,
            extra=json.dumps({"metadata_params": {}, "engine_params": {}, "allows_virtual_table_explore": True}),
        )
        found.set_sqlalchemy_uri(uri)
        db.session.add(found)
        db.session.commit()
        say(f"made the connection {CONNECTION}")
    else:
        try:
            same = found.sqlalchemy_uri_decrypted == uri
        except Exception:  # encrypted with another SECRET_KEY
            same = False
        if not same:
            found.set_sqlalchemy_uri(uri)
            db.session.commit()
            say(f"corrected the address or password of the connection {found.database_name}")

    # Adding is idempotent. Superset names the permission after the connection's present name.
    access = sm.add_permission_view_menu("database_access", found.perm)
    assign(sm, "lake_datasets", {access})


main()
