"""The site's background jobs: what LODGER_APP names and every worker process imports."""

import shutil
from pathlib import Path

from examples.dating import media, preview, upkeep
from examples.dating.config import config, report_seconds
from examples.dating.media import MediaInfo, UnreadableMedia
from examples.dating.tables import ProfileVideo, finishing, reading, writing
from lodger import Cancel, Cron, Every, Interrupted, Lodger, Retry, SyncRun

lodger = Lodger(app="examples.dating.jobs:lodger")

# A damaged file may be one that a shared disk has not finished writing: worth another look.
# A file without a picture stays one: NoVideoStream is not in the list, so it fails at once.
PATIENT = Retry(max_attempts=3, on=(OSError, UnreadableMedia), first_seconds=0.5, factor=2)


@lodger.job(queue="media", executor="process", timeout=60, retry=PATIENT, tags=("video",))
def media_metadata(video_id: int) -> MediaInfo:
    """Describe an uploaded video, cut its poster, and order its preview."""
    source = _source(video_id)
    info = media.probe(source)
    media.write_poster(source, config().posters / f"{video_id}.jpg", info)
    with writing() as session:
        # Locked: should a run ever be done twice, at most one of them orders the preview.
        video = session.get(ProfileVideo, video_id, with_for_update=True)
        if video is None:
            raise Cancel("the video was deleted meanwhile")
        video.info = vars(info)
        if video.preview_run_id is None:
            # The same transaction: no metadata without a preview on its way, and no preview without metadata.
            video.preview_run_id = transcode_preview.using(tx=session).enqueue(video_id).id
    return info


@lodger.job(queue="media", executor="process", timeout=600, retry=PATIENT, tags=("video",))
def transcode_preview(run: SyncRun[None], video_id: int) -> str:
    """Cut the small preview, part by part; an interrupted run goes on after its last saved part."""
    source = _source(video_id)
    plan = preview.plan(_info(video_id))
    target = config().previews / f"{video_id}.mp4"
    parts = config().previews / f"{video_id}.parts"
    parts.mkdir(parents=True, exist_ok=True)
    for part in range(_parts_done(run, parts), plan.parts):
        if run.stopping:
            raise Interrupted  # a deploy: the next attempt starts at this part
        preview.write_part(source, parts, plan, part)
        run.save({"parts_done": part + 1})
        run.progress(part + 1, plan.parts, f"{min((part + 1) * preview.PART_SECONDS, plan.seconds):.0f} s cut")
    preview.join_parts(parts, plan, target)
    shutil.rmtree(parts)
    with writing() as session:
        video = session.get(ProfileVideo, video_id)
        if video is not None:
            video.preview_ready = True
    return target.name


@lodger.job
def match_digest(run: SyncRun[None]) -> None:
    """Pick tonight's matches. The pairs and the run's success are one commit: no night has half a list, or two."""
    night = run.meta["schedule"]["instant"][:10]  # the one it is for, also when it is made up for later
    with finishing() as session, run.complete_in(session) as done:
        done(f"{upkeep.match_members(session, night)} pairs for {night}")


@lodger.job
def expire_sessions() -> int:
    """Forget sign-ins that are over."""
    return upkeep.expire_sign_ins()


@lodger.job
def storage_report() -> dict[str, dict[str, int]]:
    """Measure the site's folders; the page behind the scenes shows the result."""
    return upkeep.measure()


# Any worker fires them, however many there are; `lodger schedules` lists them.
lodger.schedule(match_digest, Cron("0 3 * * *", timezone="Europe/Berlin"), id="match-digest", overlap="skip")
lodger.schedule(expire_sessions, Every(minutes=1), id="expire-sessions", misfire="skip")
lodger.schedule(storage_report, Every(seconds=report_seconds()), id="storage-report", overlap="skip")


def _parts_done(run: SyncRun[None], parts: Path) -> int:
    """Trust the checkpoint only as far as its files are here: the next worker may have another disk."""
    saved = int((run.checkpoint or {}).get("parts_done", 0))
    present = (preview.part_file(parts, part).exists() for part in range(saved))
    return next((part for part, there in enumerate(present) if not there), saved)


def _source(video_id: int) -> Path:
    with reading() as session:
        video = session.get(ProfileVideo, video_id)
        if video is None:
            raise Cancel("the video was deleted meanwhile")
        return config().uploads / video.stored_name


def _info(video_id: int) -> MediaInfo:
    with reading() as session:
        video = session.get(ProfileVideo, video_id)
        if video is None or video.info is None:
            raise Cancel("the video was deleted meanwhile")
        return MediaInfo(**video.info)
