"""What the page remembers of its visitors."""

from types import SimpleNamespace
from typing import Any

from photoenhance_ui.ui.texts import Language
from photoenhance_ui.ui.visits import MAX_LANGUAGES, Visits
from testing.served import Served


def visitor(number: int) -> Any:
    return SimpleNamespace(session_hash=f"visitor-{number}", headers={})


def test_the_language_of_many_visitors_is_forgotten_the_oldest_first(served: Served) -> None:
    visits = Visits(served.running.service)
    for number in range(MAX_LANGUAGES + 1):
        visits.speak("zh", visitor(number))
    assert visits.say(visitor(MAX_LANGUAGES)).language is Language.CHINESE
    assert visits.say(visitor(1)).language is Language.CHINESE
    assert visits.say(visitor(0)).language is Language.ENGLISH
