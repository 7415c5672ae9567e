"""Jupyter Server's own configuration: the platform's bucket takes the place of a folder."""

import os

from s3contents import S3ContentsManager

c = get_config()  # noqa: F821 - Jupyter puts it there
c.ServerApp.contents_manager_class = S3ContentsManager
c.S3ContentsManager.bucket = os.environ["FILES_NAME"]
c.S3ContentsManager.endpoint_url = os.environ["FILES_ENDPOINT"]
c.S3ContentsManager.region_name = os.environ["FILES_REGION"]
c.S3ContentsManager.access_key_id = os.environ["FILES_ACCESS_KEY"]
c.S3ContentsManager.secret_access_key = os.environ["FILES_SECRET_KEY"]

c.ServerApp.port_retries = 0  # the port that was assigned, or none
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True  # requests carry the name under which the platform serves it
c.ServerApp.allow_root = True  # where the platform itself runs as root
c.ServerApp.terminals_enabled = False
