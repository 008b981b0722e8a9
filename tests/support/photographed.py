"""Pages as a telephone takes them: turned, from the side, unevenly lit, with a shadow, blurred and grainy."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter


def photographed(page: Image.Image, rng: random.Random, *, side: int) -> bytes:
    """A JPEG of about that many pixels on the longer side of the page."""
    scale = side / max(page.size)
    size = (round(page.width * scale), round(page.height * scale))
    turned = (
        page.convert("L")
        .resize(size, Image.Resampling.LANCZOS)
        .rotate(rng.choice([-1, 1]) * rng.uniform(5, 15), Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    )
    width, height = turned.size
    lean = [rng.uniform(0, 0.04) * width for _ in range(8)]
    quad = (
        *(-lean[0], -lean[1], -lean[2], height + lean[3]),
        *(width + lean[4], height + lean[5], width + lean[6], -lean[7]),
    )
    leaned = turned.transform((width, height), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC, fillcolor=255)
    blurred = leaned.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9) * side / 2_000))
    lit = ImageChops.multiply(blurred, _light(rng, width, height))
    grain = Image.effect_noise((width, height), rng.uniform(2, 5))  # around 128
    made = io.BytesIO()
    ImageChops.add(lit, grain, offset=-128).convert("RGB").save(made, "JPEG", quality=60)
    return made.getvalue()


def _light(rng: random.Random, width: int, height: int) -> Image.Image:
    """A lamp on one side, and the shadow of a hand or a telephone with a soft edge."""
    small = (width // 8 + 1, height // 8 + 1)
    darkest = rng.randrange(150, 215)
    fall = Image.linear_gradient("L").rotate(rng.choice([0, 90, 180, 270])).resize(small)
    fall = fall.point(lambda value: darkest + value * (245 - darkest) / 255)
    shadow = Image.new("L", small, 255)
    at = rng.uniform(0.2, 0.8) * shadow.width
    ImageDraw.Draw(shadow).polygon(
        [(at, 0), (shadow.width, 0), (shadow.width, shadow.height), (at * rng.uniform(0.5, 1.5), shadow.height)],
        fill=rng.randrange(170, 225),
    )
    soft = shadow.filter(ImageFilter.GaussianBlur(shadow.width / 25))
    return ImageChops.multiply(fall, soft).resize((width, height), Image.Resampling.BILINEAR)
