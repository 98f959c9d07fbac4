"""The site: pages, forms, one JSON endpoint. Plain `def` routes: FastAPI runs them in threads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException as StarletteHTTPException

from examples.dating import accounts, behind, uploads, views
from examples.dating.config import config
from examples.dating.guard import Guard
from examples.dating.jobs import lodger
from examples.dating.tables import ProfileVideo, User, create_tables, reading

HERE = Path(__file__).parent
templates = Jinja2Templates(HERE / "templates")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    config().make_folders()
    create_tables()
    yield


# The one line that gives the site its worker; EMBEDDED_JOB_WORKER says where it lives.
app = FastAPI(lifespan=lodger.lifespan(lifespan), docs_url=None, redoc_url=None, openapi_url=None)
app.add_middleware(Guard, max_upload_bytes=config().max_upload_bytes)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


def visitor(request: Request) -> User | None:
    return accounts.signed_in(request.cookies.get(accounts.COOKIE))


def member(user: Annotated[User | None, Depends(visitor)]) -> User:
    if user is None:
        raise HTTPException(303, headers={"Location": "/sign-in"})
    return user


Visitor = Annotated[User | None, Depends(visitor)]
Member = Annotated[User, Depends(member)]
Text = Annotated[str, Form()]


@app.get("/")
def home(request: Request, user: Visitor) -> HTMLResponse:
    with reading() as session:
        return _page(request, "home.html", user, profiles=views.profiles(session))


@app.get("/people/{user_id}")
def person(request: Request, user: Visitor, user_id: int) -> HTMLResponse:
    with reading() as session:
        found = session.get(User, user_id)
        if found is None:
            raise HTTPException(404, "There is nobody with this address.")
        return _page(request, "person.html", user, profile=views.profile(found))


@app.get("/sign-up")
def sign_up_form(request: Request, user: Visitor) -> HTMLResponse:
    return _page(request, "sign-up.html", user)


@app.post("/sign-up")
def sign_up(request: Request, name: Text = "", password: Text = "") -> Response:
    try:
        return _welcome(request, accounts.sign_up(name, password))
    except accounts.Refused as refusal:
        return _page(request, "sign-up.html", None, status_code=422, error=str(refusal), name=name)


@app.get("/sign-in")
def sign_in_form(request: Request, user: Visitor) -> HTMLResponse:
    return _page(request, "sign-in.html", user)


@app.post("/sign-in")
def sign_in(request: Request, name: Text = "", password: Text = "") -> Response:
    try:
        return _welcome(request, accounts.sign_in(name, password))
    except accounts.Refused as refusal:
        return _page(request, "sign-in.html", None, status_code=422, error=str(refusal), name=name)


@app.post("/sign-out")
def sign_out(request: Request) -> Response:
    accounts.sign_out(request.cookies.get(accounts.COOKIE, ""))
    response = RedirectResponse("/", 303)
    response.delete_cookie(accounts.COOKIE)
    return response


@app.get("/me")
def me(request: Request, user: Member) -> HTMLResponse:
    return _my_page(request, user)


@app.post("/me/videos")
def upload(request: Request, user: Member, video: Annotated[UploadFile | None, File()] = None) -> Response:
    try:
        if video is None or not video.filename:
            raise uploads.BadUpload("Please choose a file first.")
        uploads.take(user, video.filename, video.file)
    except uploads.BadUpload as refusal:
        return _my_page(request, user, status_code=422, error=str(refusal))
    return RedirectResponse("/me", 303)


@app.get("/me/videos.json")
def my_videos(user: Member) -> JSONResponse:
    """All my videos with the state of their jobs; the page asks every second while one is open."""
    return JSONResponse([view.as_json() for view in _my_videos(user)])


@app.get("/me/videos/{video_id}")
def my_video(request: Request, user: Member, video_id: int) -> HTMLResponse:
    """One video as a piece of the page, for the script to put in the old one's place."""
    for view in _my_videos(user):
        if view.id == video_id:
            return _page(request, "_video.html", user, video=view)
    raise HTTPException(404, "You have no video with this address.")


@app.get("/videos/{video_id}/poster.jpg")
def poster(video_id: int) -> FileResponse:
    with reading() as session:
        video = session.get(ProfileVideo, video_id)
    if video is None or video.info is None:
        raise HTTPException(404, "This video has no poster.")
    return FileResponse(config().posters / f"{video_id}.jpg")


@app.get("/videos/{video_id}/preview.mp4")
def preview(video_id: int) -> FileResponse:
    with reading() as session:
        video = session.get(ProfileVideo, video_id)
    if video is None or not video.preview_ready:
        raise HTTPException(404, "This video has no preview.")
    return FileResponse(config().previews / f"{video_id}.mp4")


@app.get("/behind")
def behind_the_scenes(request: Request, user: Visitor) -> HTMLResponse:
    return _page(request, "behind.html", user, schedules=behind.schedules())


@app.get("/behind.json")
def behind_the_scenes_json() -> JSONResponse:
    return JSONResponse([vars(view) for view in behind.schedules()])


@app.get("/healthz")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.exception_handler(StarletteHTTPException)
def error_page(request: Request, error: StarletteHTTPException) -> Response:
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    return _page(request, "error.html", None, status_code=error.status_code, error=error.detail)


def _my_page(request: Request, user: User, status_code: int = 200, error: str = "") -> HTMLResponse:
    videos = _my_videos(user)
    settled = all(video.settled for video in videos)
    return _page(request, "me.html", user, status_code, videos=videos, settled=settled, error=error)


def _my_videos(user: User) -> list[views.VideoView]:
    with reading() as session:
        return [views.video_view(video) for video in session.get_one(User, user.id).videos]


def _page(request: Request, template: str, user: User | None, status_code: int = 200, **context: Any) -> HTMLResponse:
    return templates.TemplateResponse(request, template, {"user": user, **context}, status_code)


def _welcome(request: Request, token: str) -> Response:
    response = RedirectResponse("/me", 303)
    response.set_cookie(
        accounts.COOKIE,
        token,
        max_age=accounts.STAY_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response
