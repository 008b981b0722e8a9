"""What gunicorn serves."""

from app.factory import create_app
from app.journey.route import HANDLERS, ROUTE
from app.services import build_services
from config.settings import Settings

application = create_app(build_services(Settings.from_environ(), route=ROUTE, handlers=HANDLERS))
