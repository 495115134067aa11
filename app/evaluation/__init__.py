"""The door of resource servers: access evaluation (OpenID AuthZEN Authorization API 1.0).

`requests` reads what is asked, `credentials` who asks, `server` answers. What may be done is
decided below, in `app.services.evaluation`.
"""
