"""The campaign finds what it is there to find: each planted mistake makes it fail, and for the right reason."""

import os
import re
import shutil
import tempfile
import unittest

import mutant
from campaign import Campaign
from cutting import BUILD

AGENT = os.path.join(BUILD, "tests", "crash", "loa-agent-logged")
CONTROLLER = os.path.join(BUILD, "controller", "loa-controller")
JOBS = 6


class MutantsTest(unittest.TestCase):
    def found(self, name, program, form, numbers, why, mark=0, further=()):
        """Some n of `numbers` fails, and says `why`; or of `further`, since how far a run is at its n-th call is not the
        same on each machine."""
        folder = tempfile.mkdtemp(prefix="loa-mutant-")
        self.addCleanup(shutil.rmtree, folder, True)
        variable = "LOA_AGENT" if program == AGENT else "LOA_CONTROLLER"
        os.environ[variable] = mutant.build(name, program, folder)
        self.addCleanup(os.environ.pop, variable)
        for more in (numbers, *further):
            campaign = Campaign("agent" if program == AGENT else "controller", form, jobs=JOBS, mark=mark, stop_at_failure=True)
            if not campaign.run(more):
                break
        self.assertTrue(campaign.failures, f"{name}: nothing was found in the last {campaign.runs} runs")
        for at, said in campaign.failures:
            self.assertTrue(re.search(why, said), f"{name}: n={at} failed for another reason: {said}")

    def test_media_that_were_not_synced(self):
        self.found("blob-without-fsync", AGENT, "eager", range(500, 560, 10), "not what its name says", further=[range(300, 800, 15)])

    def test_a_vault_that_was_not_synced(self):
        self.found("vault-without-fsync", AGENT, "strict", range(500, 560, 10),
                   "was in force, on disk|was sent, the outbox|store ids|vault is gone|is gone|damaged", further=[range(300, 800, 15)])

    def test_a_ledger_that_is_written_after_the_start(self):
        self.found("ledger-after-start", AGENT, "strict", range(1, 12), "was put out 2 times", mark=1, further=[range(1, 24)] * 2)

    def test_a_welcome_before_the_commit(self):
        self.found("welcome-before-commit", CONTROLLER, "before", range(1, 17), "was confirmed, stored are", mark=1, further=[range(1, 34)] * 2)


if __name__ == "__main__":
    unittest.main()
